from stacks.step_functions.stack import StepFunctionsStack

__all__ = ["StepFunctionsStack"]
