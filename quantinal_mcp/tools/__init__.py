"""The tools, one file per resource: signature, docstring, and the shape of the answer."""
