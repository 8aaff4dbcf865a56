set(GOSS_API_SOURCES
  api/c_api.cpp
  api/last_error.cpp)
