// Every precompiled header needs a source to be compiled with.
int main() {
  return 0;
}
