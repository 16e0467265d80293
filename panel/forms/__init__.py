"""forms - what the browser asks for beyond a model's own fields; one file per model file.

RULES        a form turns what people write into what the row holds; whether it is right is asked of
             clean() and the constraints of the model, and shown beside the field that was written.
"""
