cimport cython

from analyzer.streams.copies cimport copy
from analyzer.streams.delivery cimport deliver, deliver_apart, end, give_up, hold, unhold
from analyzer.streams.figures cimport (
    acknowledged, again, beyond, copied, early, filled, handshake, invalid_reset, known, probe, timed, urgent, window,
)
from analyzer.streams.gaps cimport late
from analyzer.streams.segments cimport Segments
from analyzer.streams.sequence cimport distance
from analyzer.streams.spans cimport Spans
from analyzer.streams.starts cimport begin_at, open_at, relieve, settle
from analyzer.streams.withholding cimport expire, let_pass, needed, overdue

cdef int FIN_DELIVERED
cdef long long FOREVER, START_PACKETS, LOST_PACKETS, LOST_BLIND, HELD_LIMIT, HELD_TOTAL, FAR, RESET_AHEAD, LAST

@cython.locals(ahead=cython.longlong, behind=cython.longlong)
cdef bint valid_reset(Segments segments, long long slot, long long begin) except -1

cdef object quiet(Segments segments, long long slot, bint carries, long long time)

cdef object reset(Segments segments, long long slot, long long begin, long long packet, long long time)

cdef object fin(Segments segments, long long slot, long long at, long long packet)

@cython.locals(other=cython.longlong, need=cython.longlong, reach=cython.longlong)
cdef long long acknowledge(Segments segments, Spans spans, long long slot, long long ack, bint resets, long long packet,
                           long long time) except -1

@cython.locals(offset=cython.longlong)
cdef object advance(Segments segments, Spans spans, long long slot, long long ahead, long long length,
                    long long captured, long long packet, long long at, long long position, long long time,
                    long long need)

@cython.locals(offset=cython.longlong, skip=cython.longlong)
cdef object repeat(Segments segments, Spans spans, long long slot, long long ahead, long long length,
                   long long captured, long long packet, long long at, long long position, long long time,
                   bint duplicate)

@cython.locals(stream=cython.longlong, waited=cython.longlong)
cdef object wait(Segments segments, Spans spans, long long slot, long long packet, long long time)

@cython.locals(packet=cython.Py_ssize_t, stream=cython.longlong, slot=cython.longlong, other=cython.longlong,
               bits=cython.int, number=cython.longlong, time=cython.longlong, begin=cython.longlong,
               length=cython.longlong, need=cython.longlong, duplicate=cython.bint, ahead=cython.longlong,
               behind=cython.bint, side=cython.longlong)
cpdef object walk(Segments segments, Spans spans, const int[::1] stream_of, const unsigned char[::1] direction_of,
                  const unsigned int[::1] seq, const unsigned int[::1] ack, const unsigned char[::1] flags,
                  const unsigned short[::1] window_of, const unsigned short[::1] identification_of,
                  const unsigned int[::1] captured_of, const unsigned int[::1] length_of,
                  const long long[::1] at_of, const long long[::1] position_of, const long long[::1] time_of,
                  const long long[::1] number_of)

@cython.locals(slot=cython.longlong)
cpdef object finish(Segments segments, Spans spans, long long release)
