cdef class Segments:
    cdef public long long chunk
    cdef public long long slots
    cdef long long room
    cdef unsigned char[::1] settled, seen, ended, holding, withholding, shut, shaking
    cdef long long[::1] base, next, acked, hole_packets, hole_time, highest, fin, quiet_since, data_packet, data_time, missing, repeated,\
        stray, timed, timed_since, trip, opened, opening_trip
    cdef int[::1] figure_of
    cdef long long[:, ::1] figures
    cdef long long[::1] recent_place, recent_look, recent_time
    cdef public long long figured, holding_all, withheld_all, finished
    cdef long long[::1] packets, last_packet, last_time
    cdef public dict held, withheld, lost, gaps, resets, corrections
    cdef public list endings
    cdef public object waiting
    cpdef object reserve(self, long long streams)
    cpdef object widen(self)
