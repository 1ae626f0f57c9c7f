# cmake -DINCLUDE_DIR=... -DHEADERS=a.hpp|b.hpp|... -P order.cmake
#
# Checks that HEADERS, written bottom layer first, is every header of INCLUDE_DIR; that a header includes
# only headers above it in the list; that Eigen is included in the top layers only; and that none is long.
cmake_minimum_required(VERSION 3.25)

set(layers config simd view reduce norm attention kernels eigen nn tensornorm)
set(eigen_layers eigen nn)
set(longest 300)

string(REPLACE "|" ";" HEADERS "${HEADERS}")
list(TRANSFORM HEADERS REPLACE "^${INCLUDE_DIR}/" "")

set(problems "")
function(problem text)
  list(APPEND problems "${text}")
  set(problems "${problems}" PARENT_SCOPE)
endfunction()

# The layer of a header: its folder, or its own name where it lies beside the folders.
function(layer_of header result)
  string(REGEX REPLACE "^tensornorm/([a-z0-9_]+).*$" "\\1" layer "${header}")
  set(${result} "${layer}" PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE present RELATIVE "${INCLUDE_DIR}" "${INCLUDE_DIR}/*.hpp")
foreach(header IN LISTS present)
  if(NOT header IN_LIST HEADERS)
    problem("${header} is not in the list of CMakeLists.txt")
  endif()
endforeach()

set(above "")
set(highest 0)
foreach(header IN LISTS HEADERS)
  if(NOT header IN_LIST present)
    problem("${header} is in the list of CMakeLists.txt and does not exist")
    continue()
  endif()

  layer_of(${header} layer)
  list(FIND layers "${layer}" height)
  if(height LESS highest)
    problem("${header} belongs to no layer, or stands in the list after a header of a higher one")
  else()
    set(highest ${height})
  endif()

  file(STRINGS "${INCLUDE_DIR}/${header}" includes REGEX "^[ \t]*#[ \t]*include")
  cmake_path(GET header PARENT_PATH folder)
  foreach(line IN LISTS includes)
    if(line MATCHES "\"(.*)\"")
      cmake_path(SET included NORMALIZE "${folder}/${CMAKE_MATCH_1}")
      if(NOT included IN_LIST above)
        problem("${header} includes ${included}, which is not above it in the list")
      endif()
    elseif(line MATCHES "<((unsupported/)?Eigen/.*)>" AND NOT layer IN_LIST eigen_layers)
      problem("${header} includes ${CMAKE_MATCH_1}; only ${eigen_layers} may")
    elseif(line MATCHES "<tensornorm/")
      problem("${header} includes a header of its own library by <>, and not by its relative path")
    endif()
  endforeach()
  list(APPEND above ${header})

  file(READ "${INCLUDE_DIR}/${header}" text)
  string(REGEX MATCHALL "\n" lines "${text}")
  list(LENGTH lines length)
  if(length GREATER longest)
    problem("${header} has ${length} lines, and a header stays under ${longest}")
  endif()
endforeach()

if(problems)
  list(JOIN problems "\n  " problems)
  message(FATAL_ERROR "The headers are not in order:\n  ${problems}")
endif()
