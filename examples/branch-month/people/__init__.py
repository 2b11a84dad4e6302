"""How the people of the invented month behave; used by generate.py only, never by expected.py."""
