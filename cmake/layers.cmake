# arizuko_layer(NAME PURE|ACTING LINKS target...)
#
# One static library a layer, from src/NAME/ and its rooms. A header that another layer needs lies in include/, any
# other beside its source: "x.hpp" in its own room, "NAME/room/x.hpp" from elsewhere in the layer and in tests. A PURE layer sees cmake/forbidden/ before the
# system's headers: including Asio, Beast, spdlog or POSIX there is a compile error.
function(arizuko_layer name purity)
  cmake_parse_arguments(layer "" "" "LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  add_library(arizuko_${name} STATIC ${sources})
  target_include_directories(arizuko_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(arizuko_${name} PUBLIC arizuko_compiler ${layer_LINKS})
  if(purity STREQUAL "PURE")
    target_include_directories(arizuko_${name} BEFORE PRIVATE ${PROJECT_SOURCE_DIR}/cmake/forbidden)
  endif()
endfunction()

# arizuko_tests(NAME LINKS target...): one doctest program a folder, from tests/NAME/ and its rooms.
function(arizuko_tests name)
  cmake_parse_arguments(tests "" "" "LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*.cpp)
  if(sources)
    add_executable(${name}_tests ${sources} ${PROJECT_SOURCE_DIR}/tests/doctest_main.cpp)
    target_link_libraries(${name}_tests PRIVATE ${tests_LINKS})
    target_include_directories(${name}_tests PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
    target_compile_definitions(${name}_tests PRIVATE
      ARIZUKO_SOURCE_DIR="${PROJECT_SOURCE_DIR}" ARIZUKO_BINARY_DIR="${PROJECT_BINARY_DIR}")
    add_test(NAME ${name} COMMAND ${name}_tests)
  endif()
endfunction()
