"""Certified minimum of the information about Y that two marginals allow."""

from ._certificate import certify as certify
from ._certificate import negative_entropy as negative_entropy
from ._certificate import repair as repair
from ._union_information import UnionInformation as UnionInformation
from ._union_information import union_information as union_information
from ._union_stack import union_informations as union_informations
