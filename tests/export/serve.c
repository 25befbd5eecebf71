/* Loads an export on TensorFlow's C API, feeds it image files and prints what it answers.

   serve DIRECTORY INPUT OUTPUT[,OUTPUT...] FILE...

   INPUT and OUTPUT are names of graph operations with an output's number, "name:0". Prints one line
   for each output of each file: its numbers, or its strings in hexadecimal, each behind an x. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

#define MOST 8 /* outputs */

static void check(TF_Status* status, const char* what) {
  if (TF_GetCode(status) != TF_OK) {
    fprintf(stderr, "%s: %s\n", what, TF_Message(status));
    exit(1);
  }
}

static TF_Output named(TF_Graph* graph, const char* name) {
  char operation[256];
  const char* colon = strrchr(name, ':');
  snprintf(operation, sizeof operation, "%.*s", (int)(colon - name), name);
  TF_Output output = {TF_GraphOperationByName(graph, operation), atoi(colon + 1)};
  if (output.oper == NULL) {
    fprintf(stderr, "no operation %s\n", operation);
    exit(1);
  }
  return output;
}

static void read_file(const char* path, TF_TString* contents) {
  FILE* file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  fseek(file, 0, SEEK_END);
  size_t size = ftell(file);
  rewind(file);
  char* bytes = malloc(size);
  if (fread(bytes, 1, size, file) != size) {
    perror(path);
    exit(1);
  }
  fclose(file);
  TF_StringInit(contents);
  TF_StringCopy(contents, bytes, size);
  free(bytes);
}

/* Prints a row of a tensor, of which the batch comes first. */
static void print_row(const TF_Tensor* tensor, int64_t row) {
  int64_t size = 1;
  for (int axis = 1; axis < TF_NumDims(tensor); axis++) size *= TF_Dim(tensor, axis);
  const void* data = TF_TensorData(tensor);
  for (int64_t at = row * size; at < (row + 1) * size; at++) {
    if (TF_TensorType(tensor) == TF_FLOAT) {
      printf("%.9g ", ((const float*)data)[at]);
    } else if (TF_TensorType(tensor) == TF_INT32) {
      printf("%d ", ((const int32_t*)data)[at]);
    } else {
      const TF_TString* string = (const TF_TString*)data + at;
      const char* bytes = TF_StringGetDataPointer(string);
      printf("x");
      for (size_t i = 0; i < TF_StringGetSize(string); i++) printf("%02x", (unsigned char)bytes[i]);
      printf(" ");
    }
  }
  printf("\n");
}

int main(int count, char** arguments) {
  if (count < 5) {
    fprintf(stderr, "serve DIRECTORY INPUT OUTPUT[,OUTPUT...] FILE...\n");
    return 2;
  }
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(
      options, NULL, arguments[1], tags, 1, graph, NULL, status);
  check(status, "load");

  int64_t files = count - 4;
  TF_Tensor* images = TF_AllocateTensor(TF_STRING, &files, 1, files * sizeof(TF_TString));
  for (int64_t file = 0; file < files; file++)
    read_file(arguments[4 + file], (TF_TString*)TF_TensorData(images) + file);

  TF_Output input = named(graph, arguments[2]);
  TF_Output outputs[MOST];
  TF_Tensor* values[MOST] = {NULL};
  int wanted = 0;
  for (char* name = strtok(arguments[3], ","); name && wanted < MOST; name = strtok(NULL, ","))
    outputs[wanted++] = named(graph, name);
  TF_SessionRun(session, NULL, &input, &images, 1, outputs, values, wanted, NULL, 0, NULL, status);
  check(status, "run");

  for (int64_t file = 0; file < files; file++)
    for (int output = 0; output < wanted; output++) print_row(values[output], file);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  return 0;
}
