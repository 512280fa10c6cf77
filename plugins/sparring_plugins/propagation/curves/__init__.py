"""Linear relaxations of functions of one real variable."""

from .clamp import Clamp
from .curve import CHOICES, Choice, Curve, Lines
from .elu import ELU
from .gelu import GELU, SiLU, TanhGELU
from .growth import Exp, Softplus
from .kink import Abs, Kink, LeakyReLU
from .positive import Log, Reciprocal, Rsqrt, Sqrt
from .relu import ReLU
from .square import Square
from .tanh import Sigmoid, Tanh

__all__ = [
    "CHOICES",
    "ELU",
    "GELU",
    "Abs",
    "Choice",
    "Clamp",
    "Curve",
    "Exp",
    "Kink",
    "LeakyReLU",
    "Lines",
    "Log",
    "ReLU",
    "Reciprocal",
    "Rsqrt",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Sqrt",
    "Square",
    "Tanh",
    "TanhGELU",
]
