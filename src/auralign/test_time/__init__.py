"""Better clips without training: many are drawn, and a reward or a judge says which is handed out.

best_of_n         the best of n, and how far that is from the policy
best_of_mini_n    small loops until a clip is good enough; `calibration` finds what is enough
neighbourhood     several directions of preference around the wanted one
tournaments       where a judge of pairs stands in for a reward
refinement        the beginning is kept and the rest drawn anew, while the judge likes that better
planning          a search over segments; it and refinement need a policy that can go on with a
                  prefix (`continuation`)
audio_rewards     signals and reward models as rewards of codes
job               what `auralign sample` does
"""

from auralign.test_time.best_of_mini_n import best_of_mini_n, expected_draws, stop_probability
from auralign.test_time.best_of_n import best_of_n, best_of_n_exact_kl, best_of_n_law
from auralign.test_time.calibration import Calibration, calibrate_threshold
from auralign.test_time.neighbourhood import best_of_neighbourhood
from auralign.test_time.planning import plan
from auralign.test_time.refinement import refine
from auralign.test_time.selection import Candidates, Judge, Reward, Selection, draw
from auralign.test_time.tournaments import both_orders, knock_out, swiss

__all__ = [
    "Calibration",
    "Candidates",
    "Judge",
    "Reward",
    "Selection",
    "best_of_mini_n",
    "best_of_n",
    "best_of_n_exact_kl",
    "best_of_n_law",
    "best_of_neighbourhood",
    "both_orders",
    "calibrate_threshold",
    "draw",
    "expected_draws",
    "knock_out",
    "plan",
    "refine",
    "stop_probability",
    "swiss",
]
