"""The rehearsal: real ``cdk deploy`` of every blueprint to a local AWS, without an account.

The local AWS is MiniStack (https://pypi.org/project/ministack), run as a child process
(``server``) with what this project adds to it (``extension``). Around it stands what deploys a
blueprint, runs its exercise, destroys it and makes sure that nothing is left. Nothing in here
imports a stack: it sees synthesized templates and deployed outputs only, as AWS does.
"""
