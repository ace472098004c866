def load(run): raise NotImplementedError
