// The C interface of sparsec: sparse attention compiled from a pattern, run on a device.
//
//   sparsec_device *device;
//   sparsec_program *strided;
//   sparsec_plan *plan;
//   sparsec_pattern pattern = {sizeof pattern, .text = "strided"};
//   sparsec_compile_options options = {sizeof options, .heads = 8, .head_dim = 64};
//   sparsec_shape shape = {sizeof shape, .batch = 2, .heads = 8, .nq = 4096, .n = 4096};
//   sparsec_open_device("cpu", NULL, &device);
//   sparsec_compile(device, &pattern, &options, &strided);       kernels, stored or compiled
//   sparsec_prepare(strided, &shape, NULL, &plan);               what its launches read
//   size_t bytes;
//   void *workspace;                                             what a launch writes for itself
//   sparsec_workspace_size(plan, SPARSEC_FORWARD, &bytes);
//   sparsec_allocate(device, bytes, &workspace);
//   sparsec_forward_call call = {sizeof call, .q = &q, .k = &k, .v = &v, .out = &out, .lse = &lse,
//                                .workspace = workspace, .workspace_bytes = bytes};
//   sparsec_forward(plan, &call);                                nothing but the launch
//
// Errors. Every function that can fail returns a sparsec_status; sparsec_error() then has the text,
// one for each thread. A function that failed changed nothing and wrote no result. Nothing is
// thrown.
//
// Versions. A struct begins with its own size, which the caller sets to sizeof of it: a later
// library has more fields at the end and takes the shorter struct as if they were zero. Every
// field's zero means "not said". A struct that is longer than this library's is refused unless the
// rest is zero.
//
// Threads. Handles are immutable, and any thread may use them at once: devices, programs and plans.
// A workspace is for one launch at a time. A handle keeps what it was made from alive: handles may
// be released in any order, but not while a launch of theirs runs or a captured graph of it will.
//
// Tensors are DLPack's DLTensor, byte for byte (struct sparsec_tensor): 4 dimensions for q, k, v,
// out and their gradients, in the order that the call's `layout` says; 3 for lse, [batch, heads,
// nq]. The last dimension is contiguous; other strides are free, in elements, none negative; NULL
// strides mean dense. Addresses and strides of 4-dimensional tensors are multiples of 16 bytes.
// Outputs overlap nothing else of the call. Inputs are finite numbers.
//
// Semantics: out = softmax(scale q k^T, over the keys that attend) v. lse is the natural log of the
// sum of exponentials of the scaled scores. A row that attends to nothing has output 0, lse -inf
// and zero gradients. Query head h uses kv head h / (heads / kv_heads). Head h of the model uses
// entry h mod their number of the pattern's heads. Sums are in f32, whatever the tensors are. Two
// runs give the same bits, for any number of threads.
//
// Sources: sparse attention, Child et al. 2019 (arXiv 1904.10509); a softmax that never stores the
// scores, and its gradients from lse, Dao et al. 2022 (arXiv 2205.14135); tensors, DLPack 1.0.
// What a pattern may say: docs/language.md.
#ifndef SPARSEC_C_SPARSEC_H
#define SPARSEC_C_SPARSEC_H

#include <stddef.h>
#include <stdint.h>

#define SPARSEC_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

//===-- Errors and versions -------------------------------------------------------------------===//

typedef enum sparsec_status {
  SPARSEC_OK = 0,
  SPARSEC_INPUT = 1,      ///< an argument is wrong; the text names it
  SPARSEC_UNPREPARED = 2, ///< a shape that was not prepared before a capture began
  SPARSEC_MACHINE = 3,    ///< this machine cannot: device, driver, memory, disk, compiler
  SPARSEC_INTERNAL = 70   ///< a bug of sparsec; the text says what to report
} sparsec_status;

// The text of the last failure on this thread: "q: expected ..., found ...", one line or more, with
// places in pattern files. "" before any. Valid until the next failure on this thread.
SPARSEC_API const char *sparsec_error(void);
// "0.1.0"
SPARSEC_API const char *sparsec_version(void);
// Frees a text that a function returned through char **; NULL is fine.
SPARSEC_API void sparsec_free_text(char *text);

//===-- Tensors: DLPack's ABI -----------------------------------------------------------------===//

// DLDevice.device_type
#define SPARSEC_DL_CPU 1
#define SPARSEC_DL_CUDA 2
#define SPARSEC_DL_CUDA_HOST 3
#define SPARSEC_DL_CUDA_MANAGED 13
#define SPARSEC_DL_SIM 12 ///< DLPack's kDLExtDev: memory of the device `sim`
// DLDataType.code
#define SPARSEC_DL_INT 0
#define SPARSEC_DL_FLOAT 2
#define SPARSEC_DL_BFLOAT 4

// DLTensor of DLPack: a pointer to one may be cast to a pointer to this.
typedef struct sparsec_tensor {
  void *data; ///< of the device; element [0, ...] is byte_offset further on
  struct {
    int32_t device_type;
    int32_t device_id; ///< which GPU, as sparsec_open_device counts them; 0 of others
  } device;
  int32_t ndim;
  struct {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
  } dtype;
  int64_t *shape;
  int64_t *strides; ///< in elements; NULL: dense, row-major
  uint64_t byte_offset;
} sparsec_tensor;

typedef enum sparsec_layout {
  SPARSEC_BHSD = 0, ///< [batch, heads, n, dim]
  SPARSEC_BSHD = 1  ///< [batch, n, heads, dim]
} sparsec_layout;

typedef enum sparsec_dtype {
  SPARSEC_DEFAULT = 0, ///< f32 on cpu, bf16 elsewhere
  SPARSEC_F32 = 1,
  SPARSEC_F16 = 2,
  SPARSEC_BF16 = 3
} sparsec_dtype;

//===-- Devices -------------------------------------------------------------------------------===//

typedef struct sparsec_device sparsec_device;

typedef struct sparsec_device_options {
  size_t size;
  int32_t threads; ///< of cpu; 0: as many as the process may run at once
} sparsec_device_options;

// "cpu", "cuda", "cuda:1", "sim" (an interpreter of PTX: slow, checks memory and races). options
// may be NULL. MACHINE: this machine has none, and why.
SPARSEC_API sparsec_status sparsec_open_device(const char *name,
                                               const sparsec_device_options *options,
                                               sparsec_device **device);
SPARSEC_API void sparsec_release_device(sparsec_device *device);
// {"name", "description", "target", "dlpack_type", "dlpack_id"} as JSON.
SPARSEC_API sparsec_status sparsec_describe_device(const sparsec_device *device, char **json);

// Memory of the device, for programs that have no other; on cpu any memory of the process will do,
// on cuda any of the CUDA context that libraries share (the primary one). 256-byte aligned; bytes
// may be 0. MACHINE: there is not so much left. Freeing NULL is fine.
SPARSEC_API sparsec_status sparsec_allocate(sparsec_device *device, size_t bytes, void **address);
SPARSEC_API sparsec_status sparsec_free(sparsec_device *device, void *address);
// Both wait for what they copy.
SPARSEC_API sparsec_status sparsec_copy_to_device(sparsec_device *device, void *to,
                                                  const void *from, size_t bytes);
SPARSEC_API sparsec_status sparsec_copy_to_host(sparsec_device *device, void *to, const void *from,
                                                size_t bytes);
// Waits for everything on the device, and says what a kernel did wrong.
SPARSEC_API sparsec_status sparsec_synchronize(sparsec_device *device);

//===-- Patterns ------------------------------------------------------------------------------===//

typedef enum sparsec_pattern_kind {
  SPARSEC_PATTERN_NAME = 0,      ///< a path (it has a '/' or ends in .yaml), else a name of the zoo
  SPARSEC_PATTERN_TEXT = 1,      ///< the text of a pattern file
  SPARSEC_PATTERN_EXPRESSION = 2 ///< a predicate: "causal and local(64)"
} sparsec_pattern_kind;

typedef struct sparsec_pattern {
  size_t size;
  int32_t kind; ///< sparsec_pattern_kind
  int32_t has_layer;
  const char *text;          ///< what `kind` says, UTF-8
  const char *const *params; ///< "l=128", param_count of them
  size_t param_count;
  int64_t layer; ///< with has_layer: of a pattern whose layers differ, the model's layer, from 0
} sparsec_pattern;

// Who attends to whom, as bytes of 0 and 1: out[heads][nq][n]. Refused: bytes that are not
// heads * nq * n. q0 is the position of query row 0, n - nq for the usual. Needs no device.
SPARSEC_API sparsec_status sparsec_mask(const sparsec_pattern *pattern, int64_t heads, int64_t nq,
                                        int64_t n, int64_t q0, uint8_t *out, size_t bytes);
// The pattern with everything substituted: {"name", "doc", "params", "text",
// "heads": [{"name", "attend"}], "layers": [[entry]]} as JSON.
SPARSEC_API sparsec_status sparsec_describe_pattern(const sparsec_pattern *pattern, char **json);

//===-- Programs ------------------------------------------------------------------------------===//

// The kernels of one layer of a pattern, loaded on a device, for any shape.
typedef struct sparsec_program sparsec_program;

// sparsec_compile_options.operations, as a sum
#define SPARSEC_FORWARD 1
#define SPARSEC_BACKWARD 2
#define SPARSEC_DECODE 4
#define SPARSEC_MASS 8

typedef struct sparsec_compile_options {
  size_t size;
  int32_t operations; ///< 0: forward and backward
  int32_t dtype;      ///< sparsec_dtype of q, k, v and out
  int32_t head_dim;   ///< multiple of 16, 16 .. 256; 0: 64
  int32_t value_dim;  ///< likewise, of v and out; 0: head_dim
  int32_t heads;      ///< of the model, which schedules are weighed for; 0: one for each entry
  int32_t block_q, block_k; ///< unit of sparsity, in queries and in keys; 0: chosen
  int32_t threads;          ///< that compile; 0: all
  int64_t n;                ///< length at which schedules are weighed; 0: 4096. Kernels take any
  const char *target;       ///< "sm_80", "cpu", "cpu:avx2"; NULL: the device's own
  const char *order;        ///< of tokens: "natural", "residue:128", ...; NULL: chosen
  const char *split;        ///< "auto", "always", "never"; NULL: auto
} sparsec_compile_options;

// Takes kernels from the disk store (`sparsec cache`), or compiles and stores them, by
// libsparsec-compiler beside this library, which is opened then. options may be NULL. INPUT: the
// pattern's located error; MACHINE: no compiler library, and kernels that are not stored.
SPARSEC_API sparsec_status sparsec_compile(sparsec_device *device, const sparsec_pattern *pattern,
                                           const sparsec_compile_options *options,
                                           sparsec_program **program);
// The kernels of a folder that `sparsec PATTERN -o FOLDER` wrote, for the best target that this
// device runs; no compiler is needed. `layer`: of a pattern whose layers differ, the model's layer,
// else 0. MACHINE: none of its targets runs here.
SPARSEC_API sparsec_status sparsec_load(sparsec_device *device, const char *folder, int64_t layer,
                                        sparsec_program **program);
// The same, of files in memory: count of them, with these names, contents and sizes in bytes.
SPARSEC_API sparsec_status sparsec_load_files(sparsec_device *device, const char *const *names,
                                              const void *const *contents, const size_t *sizes,
                                              size_t count, int64_t layer,
                                              sparsec_program **program);
SPARSEC_API void sparsec_release_program(sparsec_program *program);
// {"pattern", "target", "dtype", "head_dim", "value_dim", "operations": ["forward", ...],
// "heads": [{"name", "attend", "passes": [{"operation", "pass", "parts": [{"kernel", "attend",
// "block": {"q", "k"}, "query_order", "key_order"}]}]}]} as JSON.
SPARSEC_API sparsec_status sparsec_describe_program(const sparsec_program *program, char **json);

//===-- Plans ---------------------------------------------------------------------------------===//

// What the launches of a shape read, in the device's memory; immutable.
typedef struct sparsec_plan sparsec_plan;

typedef struct sparsec_shape {
  size_t size;
  int64_t batch;    ///< 0 .. 65535
  int64_t heads;    ///< 1 .. 65535
  int64_t kv_heads; ///< divides heads; 0: heads
  int64_t nq, n;    ///< query rows and keys, below 2^31 - 1; backward: nq > 0; decode: nq <= 16 new
                    ///< queries of each sequence, n rows of its cache
  int64_t q0;       ///< with has_q0: the position of query row 0; else n - nq. Not of decode
  int32_t has_q0;
} sparsec_shape;

// Works out and uploads the plan of a shape, or finds it: the program keeps its plans, so a second
// call with an equal shape takes no time. `stream`: that launches will be on; UNPREPARED when it is
// being captured and the shape is new. Release the plan once for each call.
SPARSEC_API sparsec_status sparsec_prepare(sparsec_program *program, const sparsec_shape *shape,
                                           void *stream, sparsec_plan **plan);
SPARSEC_API void sparsec_release_plan(sparsec_plan *plan);
// Bytes of device memory that a launch of this operation (SPARSEC_FORWARD and so on) needs for
// itself, at a multiple of 256 bytes; its contents do not matter. May be 0, and is for an
// operation that was not compiled.
SPARSEC_API sparsec_status sparsec_workspace_size(const sparsec_plan *plan, int32_t operation,
                                                  size_t *bytes);
// {"shape": {...}, "workspace": {"forward", "backward", "decode",
// "mass"}, "passes": [{"head", "operation",
// "pass", "part", "blocks": {"all", "live", "full", "partial"}}]} as JSON; blocks of all heads of
// one batch.
SPARSEC_API sparsec_status sparsec_describe_plan(const sparsec_plan *plan, char **json);

//===-- Launches ------------------------------------------------------------------------------===//

// What a launch went over, in blocks of all heads and batches.
typedef struct sparsec_counters {
  size_t size;
  int64_t executed; ///< blocks that kernels compute
  int64_t skipped;  ///< the rest of all pairs of query and key blocks
  int64_t full;     ///< of the executed ones: those without a mask
} sparsec_counters;

// A launch allocates nothing, copies nothing and waits for nothing. On cpu and sim it is done when
// it returns; on cuda it is enqueued on `stream` (a CUstream or cudaStream_t; NULL: the default
// stream) and may be captured in a graph. Not wanted tensors are NULL.
typedef struct sparsec_forward_call {
  size_t size;
  const sparsec_tensor *q;   ///< [batch, heads, nq, head_dim]
  const sparsec_tensor *k;   ///< [batch, kv_heads, n, head_dim]
  const sparsec_tensor *v;   ///< [batch, kv_heads, n, value_dim]
  const sparsec_tensor *out; ///< written: [batch, heads, nq, value_dim]
  const sparsec_tensor *lse; ///< written: [batch, heads, nq] f32; NULL: not wanted
  void *workspace; ///< sparsec_workspace_size() bytes, 256-byte aligned; NULL if that is 0
  size_t workspace_bytes;
  void *stream;
  int32_t layout; ///< sparsec_layout of all 4-dimensional tensors
  int32_t has_scale;
  float scale;                ///< with has_scale: of scores; else 1 / sqrt(head_dim)
  sparsec_counters *counters; ///< filled in; NULL: not wanted
} sparsec_forward_call;

SPARSEC_API sparsec_status sparsec_forward(const sparsec_plan *plan,
                                           const sparsec_forward_call *call);

typedef struct sparsec_backward_call {
  size_t size;
  const sparsec_tensor *q, *k, *v;    ///< as forward took them
  const sparsec_tensor *out, *lse;    ///< as forward left them
  const sparsec_tensor *dout;         ///< gradient of out, like out
  const sparsec_tensor *dlse;         ///< gradient of lse, like lse; NULL: none
  const sparsec_tensor *dq, *dk, *dv; ///< written: like q, k and v
  void *workspace;
  size_t workspace_bytes;
  void *stream;
  int32_t layout;
  int32_t has_scale;
  float scale;                ///< that forward had
  sparsec_counters *counters; ///< filled in; NULL: not wanted
} sparsec_backward_call;

SPARSEC_API sparsec_status sparsec_backward(const sparsec_plan *plan,
                                            const sparsec_backward_call *call);

// New queries over cached keys and values, at the last positions of sequences that differ in
// length: what a model computes for each token that it generates. What a query sees follows from
// its position alone, so a sequence that grows needs no other plan. A query whose position would be
// below 0, or from n on, does not exist: nothing of it is written. Of decode alone there is a
// refusal when a program is compiled or a shape prepared: a pattern that mentions n or nq, or by
// which a query sees a later key. On a GPU the lengths are read by the kernels: a captured graph
// goes on with the sequences.
typedef struct sparsec_decode_call {
  size_t size;
  const sparsec_tensor *q;       ///< [batch, heads, nq, head_dim]
  const sparsec_tensor *k;       ///< [batch, kv_heads, n, head_dim]: rows from a length on may be
                                 ///< anything
  const sparsec_tensor *v;       ///< [batch, kv_heads, n, value_dim], likewise
  const sparsec_tensor *lengths; ///< [batch] i32: rows of each cache, the new ones among them
  const sparsec_tensor *out;     ///< written: [batch, heads, nq, value_dim]
  const sparsec_tensor *lse;     ///< written: [batch, heads, nq] f32; NULL: not wanted
  void *workspace;
  size_t workspace_bytes;
  void *stream;
  int32_t layout;
  int32_t has_scale;
  float scale; ///< with has_scale: of scores; else 1 / sqrt(head_dim)
} sparsec_decode_call;

SPARSEC_API sparsec_status sparsec_decode(const sparsec_plan *plan,
                                          const sparsec_decode_call *call);

// A block of queries and keys: rows row * block_q on, columns * block_k on, of a head of the model.
typedef struct sparsec_block {
  int32_t head, row, column;
} sparsec_block;

// The live blocks that mass sums, of one batch, in the order of its results: *count of them. With
// `blocks` NULL they are only counted; else *count says for how many there is room.
SPARSEC_API sparsec_status sparsec_mass_blocks(const sparsec_plan *plan, sparsec_block *blocks,
                                               size_t *count);

// Looking inside: with p = exp(scale q k^T - lse) where the pattern attends, sums of p and of p^2
// over each live block. A row of p adds up to 1 where lse is that of the same pattern; with another
// pattern's lse, they say what share of its attention lies inside this one.
typedef struct sparsec_mass_call {
  size_t size;
  const sparsec_tensor *q;       ///< [batch, heads, nq, head_dim]
  const sparsec_tensor *k;       ///< [batch, kv_heads, n, head_dim]
  const sparsec_tensor *lse;     ///< [batch, heads, nq] f32, as forward gives it
  const sparsec_tensor *mass;    ///< written: [batch, blocks] f32, dense
  const sparsec_tensor *squares; ///< written: likewise
  void *workspace;
  size_t workspace_bytes;
  void *stream;
  int32_t layout;
  int32_t has_scale;
  float scale; ///< with has_scale: of scores; else 1 / sqrt(head_dim)
} sparsec_mass_call;

SPARSEC_API sparsec_status sparsec_mass(const sparsec_plan *plan, const sparsec_mass_call *call);

#ifdef __cplusplus
}
#endif

#endif
