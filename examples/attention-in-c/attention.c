/* Sparse attention and its gradients from C: the object files that `sparsec --target cpu` wrote,
 * their header, and the arrays of the launches beside them. No LLVM, no sparsec, no library but
 * libc and libm.
 *
 *   attention FOLDER        where sparsec wrote window.h and the arrays
 *
 * Computes attention of 4 heads over 1,000 tokens by the kernels, compares it and the gradients of
 * the loss |out - target|^2 / 2 with both written out as loops, then takes a step of gradient
 * descent on q, k and v: exit 0 when the differences are what rounding explains, and the loss falls
 * by what the gradients promise.
 */
#include "window.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#if WINDOW_RECENT_FORWARD_CPU_PARTS != 1 || WINDOW_RECENT_BACKWARD_CPU_PARTS != 1 ||               \
    WINDOW_RECENT_BACKWARD_DKV_CPU_PARTS != 1
#error "this program launches one kernel for the head; parts are launched one after another"
#endif
#if WINDOW_HEADS != WINDOW_KV_HEADS || WINDOW_DK_SUMS_FLOATS != 0
#error "this program has keys and values for each head"
#endif

enum { N = WINDOW_N, HEADS = WINDOW_RECENT_HEAD_COUNT, DIM = WINDOW_HEAD_DIM };
enum { SIZE = HEADS * N * DIM };

/* Strides of [batch, head, token, dim], in elements; of a number for each row, the first two. */
#define OF_ROWS {HEADS * N * DIM, N * DIM, DIM}
#define OF_NUMBERS {HEADS * N, N}

static const char *folder;

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static void *allocate(size_t bytes) {
  /* Kernels ask for tensors at multiples of 16 bytes and for scratch at multiples of 64. */
  void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (!memory)
    fail("out of memory");
  return memory;
}

/* One of a launch's arrays: little-endian 32-bit integers, as many as the file holds. */
static const int32_t *numbers(const char *name) {
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
  float *rows = allocate(sizeof(float) * SIZE);
  for (int i = 0; i < SIZE; ++i) {
    seed = seed * 1664525u + 1013904223u;
    rows[i] = (float)(seed >> 8) / (float)(1 << 23) - 1.0f; /* in [-1, 1) */
  }
  return rows;
}

/* The fields that are all kernels' here, of the launch whose constants begin with PREFIX. */
#define LAUNCH(PREFIX)                                                                             \
  .row_forms = numbers(PREFIX##_ROW_FORMS), .block_offsets = numbers(PREFIX##_BLOCK_OFFSETS),      \
  .block_columns = numbers(PREFIX##_BLOCK_COLUMNS), .row_order = numbers(PREFIX##_ROW_ORDER),      \
  .layout_stride = PREFIX##_LAYOUT_STRIDE, .form_stride = PREFIX##_FORM_STRIDE, .n = N, .nq = N,   \
  .head_first = WINDOW_RECENT_HEAD_FIRST, .head_step = WINDOW_RECENT_HEAD_STEP

/* The grid: tiles x heads (or groups of heads that share keys) x batch, in any order and on any
 * number of threads, each thread with scratch of its own. */
#define RUN(KERNEL, CALL, TILES, HEADS_OR_GROUPS, SCRATCH_BYTES)                                   \
  do {                                                                                             \
    void *scratch = allocate(SCRATCH_BYTES);                                                       \
    for (int y = 0; y < (HEADS_OR_GROUPS); ++y)                                                    \
      for (int tile = 0; tile < (TILES); ++tile)                                                   \
        KERNEL(&(CALL), tile, y, 0, scratch);                                                      \
    free(scratch);                                                                                 \
  } while (0)

static void forward(const float *q, const float *k, const float *v, float *out, float *lse) {
  window_recent_forward_arguments call = {
      LAUNCH(WINDOW_RECENT_FORWARD_CPU),
      .q = q,
      .k = k,
      .v = v,
      .out = out,
      .lse = lse,
      .q_stride = OF_ROWS,
      .k_stride = OF_ROWS,
      .v_stride = OF_ROWS,
      .out_stride = OF_ROWS,
      .lse_stride = OF_NUMBERS,
      .head_group = WINDOW_HEADS / WINDOW_KV_HEADS,
      .scale = 1.0f / sqrtf(DIM),
  };
  RUN(window_recent_forward, call, WINDOW_RECENT_FORWARD_CPU_QUERY_TILES, HEADS,
      WINDOW_RECENT_FORWARD_CPU_SCRATCH_BYTES);
}

/* dq, dk and dv from the gradient of out, and from what forward left in out and lse. */
static void backward(const float *q, const float *k, const float *v, const float *out,
                     const float *lse, const float *dout, float *dq, float *dk, float *dv) {
  float *delta = allocate(sizeof(float) * WINDOW_DELTA_FLOATS);
  window_recent_backward_delta_arguments first = {
      LAUNCH(WINDOW_RECENT_BACKWARD_DELTA_CPU),
      .out = out,
      .dout = dout,
      .delta = delta,
      .out_stride = OF_ROWS,
      .dout_stride = OF_ROWS,
      .delta_stride = OF_NUMBERS,
  };
  RUN(window_recent_backward_delta, first, WINDOW_RECENT_BACKWARD_DELTA_CPU_QUERY_TILES, HEADS,
      WINDOW_RECENT_BACKWARD_DELTA_CPU_SCRATCH_BYTES);

  window_recent_backward_dq_arguments second = {
      LAUNCH(WINDOW_RECENT_BACKWARD_DQ_CPU),
      .q = q,
      .k = k,
      .v = v,
      .dout = dout,
      .lse = lse,
      .delta = delta,
      .dq = dq,
      .q_stride = OF_ROWS,
      .k_stride = OF_ROWS,
      .v_stride = OF_ROWS,
      .dout_stride = OF_ROWS,
      .lse_stride = OF_NUMBERS,
      .delta_stride = OF_NUMBERS,
      .dq_stride = OF_ROWS,
      .head_group = WINDOW_HEADS / WINDOW_KV_HEADS,
      .scale = 1.0f / sqrtf(DIM),
  };
  RUN(window_recent_backward_dq, second, WINDOW_RECENT_BACKWARD_DQ_CPU_QUERY_TILES, HEADS,
      WINDOW_RECENT_BACKWARD_DQ_CPU_SCRATCH_BYTES);

  window_recent_backward_dkv_arguments third = {
      LAUNCH(WINDOW_RECENT_BACKWARD_DKV_CPU),
      .groups = numbers(WINDOW_RECENT_BACKWARD_DKV_CPU_GROUPS),
      .q = q,
      .k = k,
      .v = v,
      .dout = dout,
      .lse = lse,
      .delta = delta,
      .dk = dk,
      .dv = dv,
      .q_stride = OF_ROWS,
      .k_stride = OF_ROWS,
      .v_stride = OF_ROWS,
      .dout_stride = OF_ROWS,
      .lse_stride = OF_NUMBERS,
      .delta_stride = OF_NUMBERS,
      .dk_stride = OF_ROWS,
      .dv_stride = OF_ROWS,
      .scale = 1.0f / sqrtf(DIM),
  };
  RUN(window_recent_backward_dkv, third, WINDOW_RECENT_BACKWARD_DKV_CPU_KEY_TILES,
      WINDOW_RECENT_BACKWARD_DKV_CPU_GROUP_COUNT, WINDOW_RECENT_BACKWARD_DKV_CPU_SCRATCH_BYTES);
  free(delta);
}

static double dot(const float *a, const float *b) {
  double sum = 0;
  for (int d = 0; d < DIM; ++d)
    sum += (double)a[d] * b[d];
  return sum;
}

/* What the kernels compute, written down: of one query its output, and what it adds to the
 * gradients, in double. */
static void plain_row(const float *q, const float *k, const float *v, const float *dout, int row,
                      double *out, double *dq, double *dk, double *dv) {
  static double weight[N], dweight[N];
  int base = row / N * N, token = row % N;
  double largest = -DBL_MAX, sum = 0, delta = 0;
  for (int key = 0; key <= token; ++key) {
    int sees = token - key < 128 || key % 64 == 63;
    weight[key] = sees ? dot(q + row * DIM, k + (base + key) * DIM) / sqrt(DIM) : -HUGE_VAL;
    largest = fmax(largest, weight[key]);
  }
  for (int key = 0; key <= token; ++key)
    sum += weight[key] = exp(weight[key] - largest);
  for (int key = 0; key <= token; ++key) {
    weight[key] /= sum;
    dweight[key] = dot(dout + row * DIM, v + (base + key) * DIM);
    delta += weight[key] * dweight[key];
  }
  for (int d = 0; d < DIM; ++d)
    out[row * DIM + d] = dq[row * DIM + d] = 0;
  for (int key = 0; key <= token; ++key) {
    double dscore = weight[key] * (dweight[key] - delta) / sqrt(DIM);
    int at = (base + key) * DIM;
    for (int d = 0; d < DIM; ++d) {
      out[row * DIM + d] += weight[key] * v[at + d];
      dq[row * DIM + d] += dscore * k[at + d];
      dk[at + d] += dscore * q[row * DIM + d];
      dv[at + d] += weight[key] * dout[row * DIM + d];
    }
  }
}

static double largest_difference(const float *found, const double *exact) {
  double worst = 0;
  for (int i = 0; i < SIZE; ++i)
    worst = fmax(worst, fabs(found[i] - exact[i]));
  return worst;
}

/* |out - target|^2 / 2, and its gradient. */
static double loss_of(const float *out, const float *target, float *dout) {
  double loss = 0;
  for (int i = 0; i < SIZE; ++i) {
    dout[i] = out[i] - target[i];
    loss += 0.5 * dout[i] * dout[i];
  }
  return loss;
}

int main(int count, char **arguments) {
  if (count != 2) {
    fprintf(stderr, "usage: %s FOLDER\n", arguments[0]);
    return 2;
  }
  folder = arguments[1];
  float *q = random_rows(1), *k = random_rows(2), *v = random_rows(3), *target = random_rows(4);
  float *out = random_rows(5), *dout = random_rows(6), *lse = allocate(sizeof(float) * HEADS * N);
  float *dq = random_rows(7), *dk = random_rows(8), *dv = random_rows(9);

  forward(q, k, v, out, lse);
  double before = loss_of(out, target, dout);
  backward(q, k, v, out, lse, dout, dq, dk, dv);

  double *exact[4];
  for (int i = 0; i < 4; ++i) {
    exact[i] = allocate(sizeof(double) * SIZE);
    for (int j = 0; j < SIZE; ++j)
      exact[i][j] = 0;
  }
  for (int row = 0; row < HEADS * N; ++row)
    plain_row(q, k, v, dout, row, exact[0], exact[1], exact[2], exact[3]);
  double worst = largest_difference(out, exact[0]), worst_gradient = 0;
  worst_gradient = fmax(worst_gradient, largest_difference(dq, exact[1]));
  worst_gradient = fmax(worst_gradient, largest_difference(dk, exact[2]));
  worst_gradient = fmax(worst_gradient, largest_difference(dv, exact[3]));
  printf("%d heads, %d tokens: the kernels and plain attention differ by at most %.1e, "
         "gradients by %.1e\n",
         HEADS, N, worst, worst_gradient);

  /* To first order the loss falls by rate |gradient|^2. */
  const double rate = 0.01;
  double promised = 0;
  for (int i = 0; i < SIZE; ++i) {
    promised += rate * ((double)dq[i] * dq[i] + (double)dk[i] * dk[i] + (double)dv[i] * dv[i]);
    q[i] -= (float)rate * dq[i];
    k[i] -= (float)rate * dk[i];
    v[i] -= (float)rate * dv[i];
  }
  forward(q, k, v, out, lse);
  double after = loss_of(out, target, dout);
  printf("a step of gradient descent takes the loss from %.2f to %.2f; its gradients promise %.2f\n",
         before, after, before - promised);
  int falls = fabs((before - after) / promised - 1) < 0.02;
  return worst < 1e-5 && worst_gradient < 1e-5 && falls ? 0 : 1;
}
