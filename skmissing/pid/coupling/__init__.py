"""The neural coupling of the ICYM2I paper, for comparison."""

from ._tables import CouplingTables as CouplingTables
