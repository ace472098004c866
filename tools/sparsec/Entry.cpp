// The program. All of it is in sparsec_main (main.cpp), which the wheel of Python has in a library.
extern "C" int sparsec_main(int argc, char **argv);

int main(int argc, char **argv) {
  return sparsec_main(argc, argv);
}
