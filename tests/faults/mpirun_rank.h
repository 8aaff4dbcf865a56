/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/* What the programs that tests start under mpirun share. */
#pragma once

#include <gossamer/gossamer.h>
#include <stdio.h>
#include <unistd.h>

static int check(gossResult_t result) {
  if (result != gossSuccess) fprintf(stderr, "%s\n", gossGetLastError(NULL));
  return result == gossSuccess;
}

/* Leaves an empty file named after the pid. */
static void tell(const char* directory) {
  char path[4096];
  snprintf(path, sizeof(path), "%s/%d", directory, (int)getpid());
  FILE* file = fopen(path, "w");
  if (file != NULL) fclose(file);
}
