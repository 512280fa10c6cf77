"""What is published of the released agents, for the tables that stand beside it.

Natural and strongest figures of the PPO family are those of the released files (ATLA_robust_RL, README, 50 episodes);
those of robust Sarsa are table 6.9 of the thesis *Provable Robustness*, whose agents are not all the released
ones. Figures of the DDPG family are table 6.4 of the thesis: mean and deviation over 50 episodes.
"""

from __future__ import annotations

ROBOTS = ("hopper", "walker", "halfcheetah", "ant")
PPO = tuple(f"{robot}-{kind}" for kind in ("ppo", "sappo", "atlalstmsa") for robot in ROBOTS)
"""The twelve agents."""
DDPG_ROBOTS = ("ant", "hopper", "invertedpendulum", "reacher", "walker2d")
DDPG = tuple(f"{robot}-{kind}" for kind in ("ddpg", "saddpg-sgld", "saddpg-convex") for robot in DDPG_ROBOTS)
ATARI = ("atari-pong-babya3c-40M", "atari-pong-babya3c-80M", "atari-breakout-babya3c-80M")

ROBUST_SARSA = {
    "hopper-ppo": (794, 238), "hopper-sappo": (1130, 42), "hopper-atlalstmsa": (2244, 618),
    "walker-ppo": (1336, 654), "walker-sappo": (3808, 138), "walker-atlalstmsa": (3239, 894),
    "ant-ppo": (268, 227), "ant-sappo": (3412, 1755), "ant-atlalstmsa": (4136, 149),
    "halfcheetah-ppo": (489, 758), "halfcheetah-sappo": (3283, 20), "halfcheetah-atlalstmsa": (4806, 603),
}  # fmt: skip
"""Table 6.9, column RS: mean and deviation."""

DDPG_TABLE = {
    # natural, critic, random, MAD, RS, each mean and deviation
    "ant-ddpg": ((1487, 850), (187, 157), (1473, 795), (180, 200), (336, 283)),
    "hopper-ddpg": ((3302, 762), (2504, 1207), (3086, 1006), (2745, 1073), (606, 124)),
    "invertedpendulum-ddpg": ((1000, 0), (1000, 0), (1000, 0), (1000, 0), (92, 1)),
    "reacher-ddpg": ((-4.37, 1.54), (-24.35, 5.10), (-8.71, 2.42), (-27.67, 5.32), (-21.74, 5.14)),
    "walker2d-ddpg": ((1870, 1418), (1301, 1229), (1828, 1456), (1564, 1405), (959, 1001)),
    "ant-saddpg-sgld": ((2186, 534), (2076, 556), (2162, 524), (2128, 482), (2038, 401)),
    "hopper-saddpg-sgld": ((3068, 223), (2899, 439), (3071, 196), (3093, 17), (1729, 792)),
    "invertedpendulum-saddpg-sgld": ((1000, 0), (423, 281), (1000, 0), (733, 284), (832, 328)),
    "reacher-saddpg-sgld": ((-5, 1), (-12.10, 4.58), (-11.41, 4.96), (-11.94, 4.79), (-11.69, 4.80)),
    "walker2d-saddpg-sgld": ((3318, 680), (1210, 979), (3058, 848), (3252, 689), (2224, 1050)),
    "ant-saddpg-convex": ((2254, 430), (1826, 568), (2249, 491), (2106, 573), (1820, 635)),
    "hopper-saddpg-convex": ((3128, 453), (2546, 843), (3036, 593), (2959, 663), (1258, 561)),
    "invertedpendulum-saddpg-convex": ((1000, 0), (1000, 0), (1000, 0), (1000, 0), (1000, 0)),
    "reacher-saddpg-convex": ((-5.24, 2.06), (-11.51, 3.80), (-9.87, 3.95), (-12.43, 3.76), (-11.40, 3.56)),
    "walker2d-saddpg-convex": ((4540, 1562), (2245, 1881), (4216, 1616), (4135, 1884), (1986, 1993)),
}
DDPG_COLUMNS = ("natural", "critic", "random", "mad", "released robust sarsa")
