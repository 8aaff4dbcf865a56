/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
#include <gossamer/adaptive.h>
#include <gossamer/gossamer.h>
#include <stdio.h>

int main(void) {
  int version = 0;
  if (gossGetVersion(&version) != gossSuccess || version != GOSS_VERSION_CODE) return 1;
  gossComm_t comms[2];
  float x[2] = {1, 2};
  if (gossCommInitAll(comms, 2, NULL) != gossSuccess) return 2;
  gossGroupStart();
  for (int r = 0; r < 2; ++r) gossAllReduce(&x[r], &x[r], 1, gossFloat, gossSum, comms[r], NULL);
  if (gossGroupEnd() != gossSuccess) return 3;
  for (int r = 0; r < 2; ++r) gossCommDestroy(comms[r]);
  double scale = 0;
  if (gossLrScale(gossLrLinear, 64, 32, &scale) != gossSuccess) return 4;
  printf("C: %g %g %g\n", x[0], x[1], scale);
  return 0;
}
