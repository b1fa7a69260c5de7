"""What must hold of every blueprint's template, whoever wrote it.

A gate reads the assembly and the files, never a stack class. It finds; each finding is a line that
says where, what is wrong and what to do. Beside the test over the real assembly stand the tests
that show it biting.
"""
