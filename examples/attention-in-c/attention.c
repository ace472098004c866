/* Sparse attention from C: the object file that `sparsec --target cpu` wrote, its header, and the
 * arrays of its launch beside them. No LLVM, no sparsec, no library but libc and libm.
 *
 *   attention FOLDER        where sparsec wrote window.h and the arrays
 *
 * Computes attention of 4 heads over 1,000 tokens by the kernel, then again the plain way, and says
 * how far they are apart: exit 0 when that is what rounding explains.
 */
#include "window.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#if WINDOW_RECENT_FORWARD_CPU_PARTS != 1
#error "this program launches one kernel for the head; parts are launched one after another"
#endif

enum { N = WINDOW_N, HEADS = WINDOW_RECENT_HEAD_COUNT, DIM = WINDOW_HEAD_DIM };

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static void *allocate(size_t bytes) {
  /* The kernel asks for tensors at multiples of 16 bytes and for scratch at multiples of 64. */
  void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (!memory)
    fail("out of memory");
  return memory;
}

/* One of the launch's arrays: little-endian 32-bit integers, as many as the file holds. */
static const int32_t *numbers(const char *folder, const char *name) {
  if (!name)
    return NULL; /* this launch has no such array */
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (!file)
    fail(path);
  fseek(file, 0, SEEK_END);
  size_t bytes = (size_t)ftell(file);
  rewind(file);
  int32_t *array = allocate(bytes + 1);
  if (fread(array, 1, bytes, file) != bytes)
    fail(path);
  fclose(file);
  return array;
}

static float *random_rows(unsigned seed) {
  float *rows = allocate(sizeof(float) * HEADS * N * DIM);
  for (int i = 0; i < HEADS * N * DIM; ++i) {
    seed = seed * 1664525u + 1013904223u;
    rows[i] = (float)(seed >> 8) / (float)(1 << 23) - 1.0f; /* in [-1, 1) */
  }
  return rows;
}

/* What the kernel computes, written down: [head][token][dim], in double. */
static double plain_attention(const float *q, const float *k, const float *v, int head, int token,
                              int column) {
  double sum = 0, weighted = 0, largest = -DBL_MAX;
  static double score[N];
  for (int pass = 0; pass < 2; ++pass)
    for (int key = 0; key <= token; ++key) {
      if (token - key >= 128 && key % 64 != 63)
        continue;
      if (pass == 0) {
        score[key] = 0;
        for (int d = 0; d < DIM; ++d)
          score[key] += (double)q[(head * N + token) * DIM + d] * k[(head * N + key) * DIM + d];
        score[key] /= sqrt(DIM);
        largest = fmax(largest, score[key]);
      } else {
        double weight = exp(score[key] - largest);
        sum += weight;
        weighted += weight * v[(head * N + key) * DIM + column];
      }
    }
  return weighted / sum;
}

int main(int count, char **arguments) {
  if (count != 2) {
    fprintf(stderr, "usage: %s FOLDER\n", arguments[0]);
    return 2;
  }
  float *q = random_rows(1), *k = random_rows(2), *v = random_rows(3), *out = random_rows(4);

  window_recent_forward_arguments call = {
      .q = q,
      .k = k,
      .v = v,
      .out = out,
      .q_stride = {HEADS * N * DIM, N * DIM, DIM},
      .k_stride = {HEADS * N * DIM, N * DIM, DIM},
      .v_stride = {HEADS * N * DIM, N * DIM, DIM},
      .out_stride = {HEADS * N * DIM, N * DIM, DIM},
      .row_forms = numbers(arguments[1], WINDOW_RECENT_FORWARD_CPU_ROW_FORMS),
      .block_offsets = numbers(arguments[1], WINDOW_RECENT_FORWARD_CPU_BLOCK_OFFSETS),
      .block_columns = numbers(arguments[1], WINDOW_RECENT_FORWARD_CPU_BLOCK_COLUMNS),
      .row_order = numbers(arguments[1], WINDOW_RECENT_FORWARD_CPU_ROW_ORDER),
      .n = N,
      .nq = N,
      .head_first = WINDOW_RECENT_HEAD_FIRST,
      .head_step = WINDOW_RECENT_HEAD_STEP,
      .head_group = 1, /* each query head has keys of its own */
      .layout_stride = WINDOW_RECENT_FORWARD_CPU_LAYOUT_STRIDE,
      .form_stride = WINDOW_RECENT_FORWARD_CPU_FORM_STRIDE,
      .scale = 1.0f / sqrtf(DIM),
  };

  /* The grid: tiles of queries x heads x batch, in any order and on any number of threads, each
   * thread with scratch of its own. */
  void *scratch = allocate(WINDOW_RECENT_FORWARD_CPU_SCRATCH_BYTES);
  for (int head = 0; head < HEADS; ++head)
    for (int tile = 0; tile < WINDOW_RECENT_FORWARD_CPU_QUERY_TILES; ++tile)
      window_recent_forward(&call, tile, head, 0, scratch);

  double worst = 0;
  for (int head = 0; head < HEADS; ++head)
    for (int token = 0; token < N; token += token < 200 ? 1 : 37)
      for (int column = 0; column < DIM; column += 13)
        worst = fmax(worst, fabs(out[(head * N + token) * DIM + column] -
                                 plain_attention(q, k, v, head, token, column)));
  printf("%d heads, %d tokens: the kernel and plain attention differ by at most %.1e\n", HEADS, N,
         worst);
  return worst < 1e-5 ? 0 : 1;
}
