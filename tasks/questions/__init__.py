"""What a question may ask and what answers it, for every door: pure, knows no rows.

``shapes`` judges a question as it is asked, ``values`` an answer, ``posted`` reads an answer from an HTML form.
"""

from tasks.questions.posted import value_posted
from tasks.questions.shapes import KINDS, Shape, problems_of_shape
from tasks.questions.values import problem_of, shown_value

__all__ = ["KINDS", "Shape", "problem_of", "problems_of_shape", "shown_value", "value_posted"]
