"""What the rehearsal adds to MiniStack: resource types, a clock that can be moved, patient answers.

A resource type that MiniStack's CloudFormation does not know is either *emulated*, by calls to a
service that MiniStack does emulate (``emulated``; one module per area has the rows), or *recorded*:
checked against its official schema and written down, nothing more (``recorded``). Those that it
does know are held to their schema as well, and get what they leave out (``completions``).
``catalogue`` puts all of it together and says which type is what.
"""
