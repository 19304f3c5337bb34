"""The bench of six planted hacks: a world of spoken digits in which a policy can cheat a reward.

recordings  digits of espeak-ng, in a few of which something goes wrong
codec       level and clipping live in token space
policy      a language model that hears a voice prompt
world       recognisers, simulated listeners and the SFT policy
proxies     six faulty rewards and an honest one
transforms  the same hacks, planted by hand
hack        which proxy, which transform and which rule belong together
panels      clips that the guard hears: how often each rule fires
before      what the guard knows before a training
reinforce   training on a reward alone, under the guard, by policy gradients
best_of_n   the same, by SFT on the best of many clips
course      how such a training went
gallery     the page with the sound
"""
