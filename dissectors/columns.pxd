cdef class Growing:
    cdef public long long base
    cdef public long long count
    cdef public long long room
    cdef public object matrix
    cdef public long long[:, ::1] cells
    cpdef object grow(self)
