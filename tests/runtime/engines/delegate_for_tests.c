#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef struct { int size; int data[]; } IntArray;
typedef struct { int type; void *data; } TensorHead;  /* the beginning of a TfLiteTensor */
typedef struct Context Context; typedef struct Delegate Delegate;
typedef struct { void *(*init)(Context *, const char *, size_t); void (*free)(Context *, void *); int (*prepare)(Context *, void *); int (*invoke)(Context *, void *);
  const char *(*profiling)(const Context *, const void *); int32_t builtin_code; const char *custom_name; int version; void *external; void *async; uint64_t inplace; } Registration;
struct Context { size_t tensors_size; int (*GetExecutionPlan)(Context *, IntArray **); void *tensors; void *impl; void *ResizeTensor; void *ReportError; void *AddTensors; void *GetNodeAndRegistration;
  int (*Replace)(Context *, Registration, const IntArray *, Delegate *); };
struct Delegate { void *data; int (*Prepare)(Context *, Delegate *); void *from; void *to; void *release; int64_t flags; void *builder; };
static int prepare(Context *c, void *n) { return 0; }
static int invoke(Context *c, void *n) { return 0; }
static int take(Context *c, Delegate *d) {
  IntArray *plan; Registration r; memset(&r, 0, sizeof r); r.prepare = prepare; r.invoke = invoke; r.custom_name = "TestDelegate"; r.version = 1;
  if (!d->data) return 0;
  if (c->GetExecutionPlan(c, &plan)) return 1;
  IntArray *copy = malloc(sizeof(int) * (plan->size + 1)); memcpy(copy, plan, sizeof(int) * (plan->size + 1));
  int s = c->Replace(c, r, copy, d); free(copy); return s; }
Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t n, void (*report)(const char *)) {
  Delegate *d = calloc(1, sizeof *d); d->Prepare = take;
  for (size_t i = 0; i < n; i++) { if (!strcmp(keys[i], "take") && !strcmp(values[i], "all")) d->data = d; if (!strcmp(keys[i], "fail")) { report("no such chip"); free(d); return NULL; } }
  return d; }
void tflite_plugin_destroy_delegate(Delegate *d) { free(d); }
