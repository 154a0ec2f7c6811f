/* What the holder of the network has for other hosts, and what comes from there. */
#ifndef EVENTS_HOLDER_FAR_H
#define EVENTS_HOLDER_FAR_H

/* For holder_start(). */
extern const struct far_ops holder_far_ops;
extern const struct network_ops holder_far_network;

#endif
