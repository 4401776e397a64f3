"""Reports that people define: JSON documents, read strictly against the vocabulary."""

from reports.definitions.cell import Cell
from reports.definitions.document import Between, Definition, Last, Measured, Time
from reports.definitions.reading import read

__all__ = ["Between", "Cell", "Definition", "Last", "Measured", "Time", "read"]
