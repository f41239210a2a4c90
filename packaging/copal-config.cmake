# find_package(copal): copal::copal is the shared library, copal::copal_static the other. With COMPONENTS mbedtls there is
# copal::mbedtls, too: DTLS by Mbed TLS.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
# What the static library is linked with.
find_dependency(json-c CONFIG)
find_dependency(OpenSSL 3.0)
include(${CMAKE_CURRENT_LIST_DIR}/copal-targets.cmake)
foreach(component ${copal_FIND_COMPONENTS})
    if(TARGET copal::${component})
        set(copal_${component}_FOUND TRUE)
    elseif(copal_FIND_REQUIRED_${component})
        set(copal_FOUND FALSE)
        set(copal_NOT_FOUND_MESSAGE "copal was installed without ${component}")
    endif()
endforeach()
