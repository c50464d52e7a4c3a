// The one translation unit that holds the code of Boost.Process v2; everybody else only declares it.

// 1.81 needs these, and does not include them.
#include <boost/asio.hpp>
#include <boost/optional.hpp>
#include <boost/type_traits.hpp>

#include <boost/process/v2/src.hpp>
