"""The API's shapes: what it answers and what is sent to it.

Answers are typed dictionaries that keep fields nobody documented; only what identifies a resource is
required, since the service may drop or null the rest. What is sent follows the documents to the letter.
Source: the endpoint pages of the API documents.
"""
