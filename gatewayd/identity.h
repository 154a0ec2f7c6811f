/*
 * The name of a node whose administrator gave none: the host's and four letters,
 * kept in the state directory, so that a container that is made again under
 * another host name is still the same node.
 */
#ifndef GATEWAYD_IDENTITY_H
#define GATEWAYD_IDENTITY_H

/*
 * The name in state_dir/node, made if there is none (said in the log), which is
 * ours until this process ends.  Another gateway that has the same directory gets
 * a name that is not kept.  NULL for state_dir, or one that cannot be used: the
 * host's name.  malloc'd; NULL: no memory.
 */
char	*identity_node(const char *state_dir);

#endif
