"""The Attention Fusion Network: its modules, training and export (in torch).

``modules`` holds the paper's modules, ``attention_fusion`` and ``dense`` the two forms of
the network, ``frame_model`` their deployed form, ``training`` fits them to windows that
``batches`` draws, ``metrics`` measures them, and ``export`` writes the model file that
classification loads without torch.
"""

if __name__.partition(".")[0] != "darkscan":
    raise ImportError(f"import darkscan.{__name__}: the folder at the top is a link")
