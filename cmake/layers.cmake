# arizuko_layer(NAME PURE|ACTING LINKS target...)
#
# One static library a layer, from src/NAME/*.cpp. A PURE layer sees cmake/forbidden/ before the
# system's headers: including Asio, Beast, spdlog or POSIX there is a compile error.
function(arizuko_layer name purity)
  cmake_parse_arguments(layer "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  add_library(arizuko_${name} STATIC ${sources})
  target_include_directories(arizuko_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(arizuko_${name} PUBLIC arizuko_compiler ${layer_LINKS})
  if(purity STREQUAL "PURE")
    target_include_directories(arizuko_${name} BEFORE PRIVATE ${PROJECT_SOURCE_DIR}/cmake/forbidden)
  endif()
endfunction()

# arizuko_tests(NAME LINKS target...): one doctest program a folder, from tests/NAME/*.cpp.
function(arizuko_tests name)
  cmake_parse_arguments(tests "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*.cpp)
  if(sources)
    add_executable(${name}_tests ${sources} ${PROJECT_SOURCE_DIR}/tests/doctest_main.cpp)
    target_link_libraries(${name}_tests PRIVATE ${tests_LINKS})
    target_compile_definitions(${name}_tests PRIVATE
      ARIZUKO_SOURCE_DIR="${PROJECT_SOURCE_DIR}" ARIZUKO_BINARY_DIR="${PROJECT_BINARY_DIR}")
    add_test(NAME ${name} COMMAND ${name}_tests)
  endif()
endfunction()
