set(GOSS_DEVICE_SOURCES
  device/shared_memory.cpp)
