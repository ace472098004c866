def register(): raise NotImplementedError
