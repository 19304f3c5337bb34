"""The `test.yaml` that `auralign listen new` writes, with a word on every setting."""

TEMPLATE = """\
# A listening test. `auralign listen serve DIR` reads this file; an unknown key is an error.
name: Which one sounds better?
contact: ""                 # shown on every page, such as an address for questions
seed: 0                     # of the order of everything

# What listeners do: ab, abx, acr, arena, best_worst, checklist, cmos, dcr, dialogue, mushra,
# multi_stimulus, p835, ranking, thumbs.
test:
  type: ab
  tie: true                 # allow "no difference"
  dimensions:               # one question each; leave them out to ask only which is better
    - id: overall
      question: Which one do you prefer?
      strength: [Slightly, Clearly, Much]
      tags: [noise, clarity, voice, wording]
      free_text: true

clips:
  path: clips               # a folder for each system below it, or a table, or a study folder
  target_lufs: -23          # loudness of every clip (BS.1770); null leaves it as it is

consent:
  version: "1"              # raise it when the text changes
  text: |
    You will hear short recordings and say what you think of them. Your answers are stored without
    your name or address.

    You may stop at any time, and withdraw your answers with a link that you are given.
instructions: |
  Wear headphones if you can. Listen to both clips as often as you like, then choose.

playback:
  must_listen: 1            # share of every clip that has to be heard before an answer
  if_unheard: refuse        # or: flag

design:
  trials: 10                # of each listener
  answers_per_condition: 20 # then a pair of clips is not asked again
  repeats: 1                # asked again, to see whether a listener is consistent
  abandoned_after_min: 30

# checks:
#   headphones: {kind: antiphase}
#   gold:
#     - {prompt: p1, systems: [good, broken], expected: good}

# recruitment:
#   platform: prolific
#   prolific_complete: C1234567
#   prolific_screened_out: C7654321
"""
