"""The bench of six planted hacks: a world of spoken digits in which a policy can cheat a reward.

recordings  digits of espeak-ng, in a few of which something goes wrong
codec       level and clipping live in token space
policy      a language model that hears a voice prompt
world       recognisers, simulated listeners and the SFT policy
proxies     six faulty rewards and an honest one
transforms  the same hacks, planted by hand
hack        which proxy, which transform and which rule belong together
panels      clips that the guard hears: how often each rule fires
training    what best-of-n earns from a reward alone, under the guard
course      how such a training went
gallery     the page with the sound
"""
