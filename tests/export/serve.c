/* Loads an export on TensorFlow's C API, feeds it image files and prints what it answers.

   serve DIRECTORY INPUT PROBABILITIES CLASSES FILE...

   INPUT, PROBABILITIES and CLASSES are names of graph operations with an output's number, "name:0".
   Prints one line a file: its probabilities, then the names of their columns. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

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

int main(int count, char** arguments) {
  if (count < 6) {
    fprintf(stderr, "serve DIRECTORY INPUT PROBABILITIES CLASSES FILE...\n");
    return 2;
  }
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(
      options, NULL, arguments[1], tags, 1, graph, NULL, status);
  check(status, "load");

  int64_t files = count - 5;
  TF_Tensor* images = TF_AllocateTensor(TF_STRING, &files, 1, files * sizeof(TF_TString));
  for (int64_t file = 0; file < files; file++)
    read_file(arguments[5 + file], (TF_TString*)TF_TensorData(images) + file);

  TF_Output input = named(graph, arguments[2]);
  TF_Output outputs[] = {named(graph, arguments[3]), named(graph, arguments[4])};
  TF_Tensor* values[] = {NULL, NULL};
  TF_SessionRun(session, NULL, &input, &images, 1, outputs, values, 2, NULL, 0, NULL, status);
  check(status, "run");

  int64_t classes = TF_Dim(values[0], 1);
  const float* probabilities = TF_TensorData(values[0]);
  const TF_TString* names = TF_TensorData(values[1]);
  for (int64_t file = 0; file < files; file++) {
    for (int64_t k = 0; k < classes; k++) printf("%.9g ", probabilities[file * classes + k]);
    for (int64_t k = 0; k < classes; k++) {
      const TF_TString* name = names + file * classes + k;
      printf("%.*s ", (int)TF_StringGetSize(name), TF_StringGetDataPointer(name));
    }
    printf("\n");
  }
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  return 0;
}
