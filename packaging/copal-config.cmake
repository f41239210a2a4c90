# find_package(copal): copal::copal is the shared library, copal::copal_static the other.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
# What the static library is linked with.
find_dependency(json-c CONFIG)
find_dependency(OpenSSL 3.0)
include(${CMAKE_CURRENT_LIST_DIR}/copal-targets.cmake)
