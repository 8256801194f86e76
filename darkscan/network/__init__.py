"""The Attention Fusion Network: its modules, training and export (in torch).

``modules`` holds the paper's network, ``frame_model`` its deployed form, ``training``
fits it to windows that ``batches`` draws, ``validation`` measures it, and ``export``
writes the model file that classification loads without torch.
"""

if __name__.partition(".")[0] != "darkscan":
    raise ImportError(f"import darkscan.{__name__}: the folder at the top is a link")
