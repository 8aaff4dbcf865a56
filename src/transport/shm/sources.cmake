set(GOSS_SHM_SOURCES
  transport/shm/mailbox.cpp
  transport/shm/segment.cpp)
