"""The parts of the second opinion; expected.py puts them together. Nothing here knows the product's code."""
