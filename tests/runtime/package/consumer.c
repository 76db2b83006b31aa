#include <stdio.h>
#include <tidbit/tidbit.h>

int main(void) {
  tidbit_model* model = NULL;
  const tidbit_status status = tidbit_model_load("no such file", NULL, &model);
  printf("tidbit %s: %s\n", tidbit_version(), tidbit_last_error());
  return status == TIDBIT_NOT_FOUND ? 0 : 1;
}
