"""Whatever strangers can send, sent for as many minutes as are given: ``make fuzz MINUTES=5``.

`doors` has a function of bytes for each door; `one` calls it in a process of its own, with bytes
that atheris chooses by what they reach; `__main__` shares out the time and watches. A door may
refuse its bytes in one of the errors that it is documented to raise, and nothing else.
"""
