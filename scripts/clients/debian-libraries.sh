#!/bin/sh
# Unpacks the C, C++ and TLS libraries of Debian 13 into a folder, leaving the system's as they are: debian-libraries.sh FOLDER
# They come from the mirror that apt uses here, with lists of their own.
set -eu
mkdir -p "$1/state/lists/partial" "$1/cache/archives/partial" "$1/debs"
cd "$1"
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' | awk '$2 !~ /[-\/]/ { print $1; exit }')
touch state/status
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >sources.list
cat >apt.conf <<EOF
Dir::State "$PWD/state";
Dir::State::status "$PWD/state/status";
Dir::Cache "$PWD/cache";
Dir::Etc::sourcelist "$PWD/sources.list";
Dir::Etc::sourceparts "-";
APT::Sandbox::User "root";
Acquire::Retries "3";
EOF
export APT_CONFIG="$PWD/apt.conf"
apt-get update -qq
cd debs
apt-get download -qq libc6 libstdc++6 libgcc-s1 libssl3t64 libzstd1 zlib1g
for package in *.deb; do dpkg-deb -x "$package" ..; done
cd ..
rm -rf state cache debs
