# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# Debian packages: `cpack` in the build folder writes libgossamer0, libgossamer-dev, gossamer-tools,
# with UCX libgossamer-ucx, and with MPI libgossamer-mpi0 and libgossamer-mpi-dev. Included last, when everything has its install
# rule and with it its component.
set(CPACK_PACKAGE_NAME gossamer)
set(CPACK_PACKAGE_VENDOR "The Gossamer authors")
set(CPACK_PACKAGE_CONTACT "The Gossamer authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/lib)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(goss_components)
function(goss_package component package section summary depends)
  string(TOUPPER ${component} upper)
  set(prefix CPACK_DEBIAN_${upper}_PACKAGE)
  set(${prefix}_NAME ${package} PARENT_SCOPE)
  set(${prefix}_SECTION ${section} PARENT_SCOPE)
  set(${prefix}_DEPENDS "${depends}" PARENT_SCOPE)
  set(CPACK_COMPONENT_${upper}_DESCRIPTION "${summary}" PARENT_SCOPE)
  set(goss_components ${goss_components} ${component} PARENT_SCOPE)
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE RENAME copyright
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${component})
endfunction()

set(same "(= ${PROJECT_VERSION})")
goss_package(library libgossamer0 libs
  "Communication collectives with the NCCL API: the library" "")
goss_package(dev libgossamer-dev libdevel
  "Communication collectives with the NCCL API: headers, for CMake and pkg-config"
  "libgossamer0 ${same}")
set(tools_depend "libgossamer0 ${same}")
if(TARGET gossamer_mpi)
  goss_package(mpi libgossamer-mpi0 libs
    "Communication collectives with the NCCL API: start from an MPI communicator"
    "libgossamer0 ${same}")
  goss_package(mpi_dev libgossamer-mpi-dev libdevel
    "Communication collectives with the NCCL API: header of the start from an MPI communicator"
    "libgossamer-dev ${same}, libgossamer-mpi0 ${same}, libopenmpi-dev")
  string(APPEND tools_depend ", libgossamer-mpi0 ${same}")
endif()
if(TARGET gossamer_ucx)
  goss_package(ucx libgossamer-ucx libs
    "Communication collectives with the NCCL API: messages between hosts, by UCX"
    "libgossamer0 ${same}")
endif()
if(TARGET all_reduce_perf OR TARGET goss-info)
  goss_package(tools gossamer-tools science
    "Communication collectives with the NCCL API: goss-info, and tools that measure as nccl-tests do"
    "${tools_depend}")
endif()
set(CPACK_COMPONENTS_ALL ${goss_components})

# The loader's cache is told of new libraries.
file(WRITE ${PROJECT_BINARY_DIR}/triggers "activate-noawait ldconfig\n")
foreach(component LIBRARY MPI)
  set(CPACK_DEBIAN_${component}_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/triggers)
endforeach()
include(CPack)
