cdef long long HALF, LAST

cpdef long long distance(long long number) noexcept
