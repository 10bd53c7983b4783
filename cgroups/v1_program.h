#ifndef CGROUPS_V1_PROGRAM_H
#define CGROUPS_V1_PROGRAM_H

/* At which berth-cgroup1 finds the directory that it may write in. */
#define CGROUP1_DIR_FD 3

#endif
