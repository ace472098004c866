# ./dev package: strips what the static preset built and packs it.
#
#   cmake -DBUILD=build/static -P Package.cmake               sparsec-VERSION-linux-ARCH.tar.xz
#   cmake -DBUILD=build/static -DTESTS=ON -P Package.cmake    ...-tests.tar.xz: the device tests
#                                                             and the developers' timers
get_filename_component(BUILD ${BUILD} ABSOLUTE)
load_cache(${BUILD} READ_WITH_PREFIX "" CMAKE_PROJECT_VERSION CMAKE_STRIP)
cmake_host_system_information(RESULT arch QUERY OS_PLATFORM)
set(name sparsec-${CMAKE_PROJECT_VERSION}-linux-${arch})
set(programs sparsec)
if(TESTS)
  string(APPEND name -tests)
  set(programs device-tests sparsec-launch sparsec-matmul sparsec-rows)
endif()

set(stage ${BUILD}/package)
file(REMOVE_RECURSE ${stage})
file(MAKE_DIRECTORY ${stage}/${name})
foreach(program ${programs})
  execute_process(COMMAND ${CMAKE_STRIP} -o ${stage}/${name}/${program} ${BUILD}/bin/${program}
                  COMMAND_ERROR_IS_FATAL ANY)
  # Whatever else it needed would be missing on the machine that it is for.
  file(GET_RUNTIME_DEPENDENCIES EXECUTABLES ${stage}/${name}/${program}
       RESOLVED_DEPENDENCIES_VAR needed UNRESOLVED_DEPENDENCIES_VAR missing)
  # The wheel has libsparsec: LD_LIBRARY_PATH=.../sparsec/lib sparsec-launch.
  list(FILTER needed EXCLUDE REGEX "/(libsparsec\\.so|(libc|libm|libdl|libpthread|librt|ld-linux[^/]*)\\.so\\.[0-9]+)$")
  if(needed OR missing)
    message(FATAL_ERROR "${program} needs ${needed} ${missing}")
  endif()
endforeach()
set(archive ${BUILD}/../${name}.tar.xz)
execute_process(COMMAND ${CMAKE_COMMAND} -E env XZ_OPT=-T0 tar -cJf ${archive} --owner=0 --group=0 ${name}
                WORKING_DIRECTORY ${stage} COMMAND_ERROR_IS_FATAL ANY)
file(SIZE ${archive} bytes)
math(EXPR megabytes "(${bytes} + 500000) / 1000000")
cmake_path(NORMAL_PATH archive)
message(STATUS "${archive}: ${megabytes} MB")
